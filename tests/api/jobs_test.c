/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads, memory of the caller, jobs in the background, cancellation; POSIX threads beside the header.
 */
#include <atrous.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "expect.h"

enum {
  kWidth = 60,
  kHeight = 80,
  kPixels = kWidth * kHeight,
  kPictures = 4,
  kThreads = 4,
  kLargeSide = 400
};

static uint8_t pictures[kPictures][kPixels * 3]; /* RGB */
static uint8_t expected[kPictures][kPixels];     /* their labels, from a thread alone */
static uint8_t large[kLargeSide * kLargeSide * 3];

static atrous_image picture(int i) {
  const atrous_image image = {sizeof(image), pictures[i], kWidth, kHeight, 0, ATROUS_RGB};
  return image;
}

static atrous_image large_picture(void) {
  const atrous_image image = {sizeof(image), large, kLargeSide, kLargeSide, 0, ATROUS_RGB};
  return image;
}

static void draw(void) {
  for (int i = 0; i < kPictures; ++i)
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kWidth; ++x)
        for (int c = 0; c < 3; ++c)
          pictures[i][(y * kWidth + x) * 3 + c] = (uint8_t)((x - 30) * (x - 30) / (i + 1) + y * (c + i));
  for (int i = 0; i < kLargeSide * kLargeSide * 3; ++i) large[i] = (uint8_t)(i * 7 % 251);
}

static void sleep_seconds(double seconds) {
  struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&time, NULL);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static atrous_session* make_session(const atrous_model* model, int probabilities) {
  atrous_session* session = NULL;
  atrous_session_options options = {sizeof(options), 1, 0, probabilities, -1, "off", NULL, 0};
  EXPECT(atrous_session_create(model, &options, &session) == ATROUS_OK);
  return session;
}

/* Labels and both kinds of probabilities, in memory of ours. */
static void test_output(const atrous_model* model) {
  atrous_session *session = make_session(model, 1), *plain = make_session(model, 0);
  const size_t count = (size_t)kPixels * (size_t)atrous_model_class_count(model);
  float* scores = malloc(count * sizeof(float));
  uint16_t* halves = malloc((count + 1) * sizeof(uint16_t));
  uint8_t labels[kPixels + 1];
  labels[kPixels] = 77, halves[count] = 777; /* no byte too many is written */
  const atrous_image image = picture(0);
  atrous_output output = {sizeof(output), labels, kPixels, scores, count, ATROUS_FLOAT32};
  EXPECT(atrous_segment_into(session, &image, &output) == ATROUS_OK);
  EXPECT(memcmp(labels, expected[0], kPixels) == 0 && labels[kPixels] == 77);
  output.probabilities = halves, output.probability_type = ATROUS_FLOAT16, output.labels = NULL;
  EXPECT(atrous_segment_into(session, &image, &output) == ATROUS_OK && halves[count] == 777);
  size_t wrong = 0;
  for (size_t i = 0; i < count;
       ++i) { /* sign 0, 5 bits of exponent, 10 of mantissa; 2^-25: half the least step */
    const int exponent = halves[i] >> 10, mantissa = halves[i] & 1023;
    const double value = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25);
    wrong += fabs(value - scores[i]) > scores[i] / 2048 + ldexp(1, -25);
  }
  EXPECT(wrong == 0);

  output.probability_count = count - 1;
  EXPECT(atrous_segment_into(session, &image, &output) == ATROUS_INVALID_ARGUMENT);
  EXPECT(strstr(atrous_last_error(), "probabilities") != NULL);
  output.probability_count = count, output.probability_type = 9;
  EXPECT(atrous_segment_into(session, &image, &output) == ATROUS_INVALID_ARGUMENT);
  output.probability_type = ATROUS_FLOAT32, output.probabilities = scores;
  EXPECT(atrous_segment_into(plain, &image, &output) == ATROUS_INVALID_ARGUMENT);
  output.probabilities = NULL, output.labels = labels, output.label_count = kPixels - 1;
  EXPECT(atrous_segment_into(plain, &image, &output) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment_into(plain, &image, NULL) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment_into(plain, NULL, &output) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment_into(NULL, &image, &output) == ATROUS_INVALID_ARGUMENT);
  free(scores);
  free(halves);
  atrous_session_destroy(plain);
  atrous_session_destroy(session);
}

struct worker {
  const atrous_model* model;
  atrous_session* shared; /* null: a session of its own */
  int wrong;
};

static void* segment_all(void* given) {
  struct worker* worker = given;
  atrous_session* session = worker->shared != NULL ? worker->shared : make_session(worker->model, 0);
  for (int i = 0; i < 3 * kPictures; ++i) {
    const atrous_image image = picture(i % kPictures);
    atrous_result* result = NULL;
    worker->wrong += atrous_segment(session, &image, &result) != ATROUS_OK ||
                     memcmp(atrous_result_labels(result), expected[i % kPictures], kPixels) != 0;
    atrous_result_free(result);
    /* a failure of this thread, which the others' calls do not touch */
    worker->wrong += atrous_segment_file(session, "no-such.jpg", &result) != ATROUS_NOT_FOUND ||
                     strstr(atrous_last_error(), "no-such.jpg") == NULL;
  }
  if (worker->shared == NULL) atrous_session_destroy(session);
  return NULL;
}

/* Threads on one model, half of them on one session too: as if each were alone. */
static void test_threads(const atrous_model* model) {
  atrous_session* shared = make_session(model, 0);
  pthread_t threads[kThreads];
  struct worker workers[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    workers[i] = (struct worker){model, i % 2 == 0 ? shared : NULL, 0};
    EXPECT(pthread_create(&threads[i], NULL, segment_all, &workers[i]) == 0);
  }
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    EXPECT(workers[i].wrong == 0);
  }
  atrous_session_destroy(shared);
}

/* What the callbacks of a session have said. */
struct log {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int count;
  uint64_t jobs[16];
  atrous_status statuses[16];
  int wrong;                    /* results that are not `expected`, failures without a message */
  atrous_session* next_session; /* where the callback itself submits the next job, once */
  uint8_t* next_labels;
};

static void note(void* user, uint64_t job, atrous_status status, atrous_result* result) {
  struct log* log = user;
  pthread_mutex_lock(&log->mutex);
  const int i = log->count++;
  log->jobs[i] = job;
  log->statuses[i] = status;
  log->wrong +=
      (atrous_last_error()[0] == '\0') != (status == ATROUS_OK) || (result != NULL && status != ATROUS_OK);
  if (result != NULL)
    log->wrong += memcmp(atrous_result_labels(result), expected[i % kPictures], kPixels) != 0;
  if (log->next_session != NULL) {
    const atrous_image image = picture(0);
    const atrous_output output = {sizeof(output), log->next_labels, kPixels, NULL, 0, 0};
    atrous_session* session = log->next_session;
    log->next_session = NULL;
    log->wrong += atrous_submit(session, &image, &output, note, log, NULL) != ATROUS_OK;
  }
  pthread_cond_broadcast(&log->changed);
  pthread_mutex_unlock(&log->mutex);
  atrous_result_free(result);
}

static void wait_for(struct log* log, int count) {
  pthread_mutex_lock(&log->mutex);
  while (log->count < count) pthread_cond_wait(&log->changed, &log->mutex);
  pthread_mutex_unlock(&log->mutex);
}

static void test_submit(const atrous_model* model) {
  struct log log = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, {0}, {0}, 0, NULL, NULL};
  atrous_session* session = make_session(model, 0);
  uint64_t job = 0;
  for (int i = 0; i < kPictures; ++i) {
    const atrous_image image = picture(i); /* the struct may go, the pixels stay */
    EXPECT(atrous_submit(session, &image, NULL, note, &log, &job) == ATROUS_OK);
    EXPECT(job == (uint64_t)i + 1);
  }
  wait_for(&log, kPictures);
  EXPECT(log.wrong == 0);
  for (int i = 0; i < kPictures; ++i) EXPECT(log.jobs[i] == (uint64_t)i + 1 && log.statuses[i] == ATROUS_OK);

  uint8_t labels[kPixels], next_labels[kPixels]; /* into memory of ours, and a job from a callback */
  const atrous_output output = {sizeof(output), labels, kPixels, NULL, 0, 0};
  const atrous_image image = picture(1);
  log.next_session = session, log.next_labels = next_labels;
  EXPECT(atrous_submit(session, &image, &output, note, &log, NULL) == ATROUS_OK);
  wait_for(&log, kPictures + 2);
  EXPECT(log.wrong == 0 && log.statuses[kPictures] == ATROUS_OK && log.statuses[kPictures + 1] == ATROUS_OK);
  EXPECT(memcmp(labels, expected[1], kPixels) == 0 && memcmp(next_labels, expected[0], kPixels) == 0);

  /* what makes no sense is refused at once */
  const atrous_output small = {sizeof(small), labels, kPixels - 1, NULL, 0, 0};
  EXPECT(atrous_submit(NULL, &image, NULL, note, &log, NULL) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_submit(session, NULL, NULL, note, &log, NULL) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_submit(session, &image, NULL, NULL, NULL, NULL) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_submit(session, &image, &small, note, &log, NULL) == ATROUS_INVALID_ARGUMENT);
  atrous_session_destroy(session);
  EXPECT(log.count == kPictures + 2);
}

struct call {
  atrous_session* session;
  atrous_status status;
  pthread_mutex_t mutex;
  int over;
};

static void* segment_large(void* given) {
  struct call* call = given;
  const atrous_image image = large_picture();
  atrous_result* result = NULL;
  call->status = atrous_segment(call->session, &image, &result);
  atrous_result_free(result);
  pthread_mutex_lock(&call->mutex);
  call->over = 1;
  pthread_mutex_unlock(&call->mutex);
  return NULL;
}

/* A large picture takes such a session long enough to be cancelled in the midst of it. */
static void test_cancel_with(const atrous_model* model, atrous_session_options options) {
  atrous_session* session = NULL;
  EXPECT(atrous_session_create(model, &options, &session) == ATROUS_OK);
  struct call call = {session, ATROUS_OK, PTHREAD_MUTEX_INITIALIZER, 0};
  const double begin = now();
  segment_large(&call);
  const double seconds = now() - begin;
  EXPECT(call.status == ATROUS_OK);

  struct log log = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, {0}, {0}, 0, NULL, NULL};
  const atrous_image slow = large_picture(), quick = picture(0);
  uint64_t running = 0, queued = 0;
  EXPECT(atrous_submit(session, &slow, NULL, note, &log, &running) == ATROUS_OK);
  EXPECT(atrous_submit(session, &slow, NULL, note, &log, &queued) == ATROUS_OK);
  EXPECT(atrous_submit(session, &quick, NULL, note, &log, NULL) == ATROUS_OK);
  atrous_cancel(session, queued);
  sleep_seconds(seconds / 4);
  atrous_cancel(session, running);
  atrous_cancel(session, running + 100); /* no such job */
  atrous_cancel(NULL, 0);
  wait_for(&log, 3);
  EXPECT(log.jobs[0] == running && log.statuses[0] == ATROUS_CANCELLED);
  EXPECT(log.jobs[1] == queued && log.statuses[1] == ATROUS_CANCELLED);
  EXPECT(log.statuses[2] == ATROUS_OK);

  /* a call of another thread; it may not have begun when it is cancelled first */
  pthread_t thread;
  call.over = 0;
  EXPECT(pthread_create(&thread, NULL, segment_large, &call) == 0);
  for (int over = 0; !over;) {
    sleep_seconds(seconds / 8);
    atrous_cancel(session, 0);
    pthread_mutex_lock(&call.mutex);
    over = call.over;
    pthread_mutex_unlock(&call.mutex);
  }
  pthread_join(thread, NULL);
  EXPECT(call.status == ATROUS_CANCELLED);

  /* destroyed with jobs in it: each of them is called back before that returns */
  for (int i = 0; i < 3; ++i) EXPECT(atrous_submit(session, &slow, NULL, note, &log, NULL) == ATROUS_OK);
  atrous_session_destroy(session);
  EXPECT(log.count == 6);
  for (int i = 3; i < 6; ++i) EXPECT(log.statuses[i] == ATROUS_CANCELLED);
}

static void test_cancel(const atrous_model* model) {
  /* most of the time in the network, in the CRF */
  const double scales[] = {0.8, 0.9, 1};
  const atrous_session_options network = {sizeof(network), 1, 1, 0, -1, "off", scales, 3},
                               crf = {sizeof(crf), 1, 0, 0, -1, "iterations=20", NULL, 0};
  test_cancel_with(model, network);
  test_cancel_with(model, crf);
}

int main(void) {
  atrous_model* model = NULL;
  EXPECT(atrous_model_open(NULL, NULL, &model) == ATROUS_OK);
  if (model == NULL) return 1;
  draw();
  atrous_session* alone = make_session(model, 0);
  int different = 0;
  for (int i = 0; i < kPictures; ++i) {
    const atrous_image image = picture(i);
    atrous_result* result = NULL;
    EXPECT(atrous_segment(alone, &image, &result) == ATROUS_OK);
    if (result != NULL) memcpy(expected[i], atrous_result_labels(result), kPixels);
    atrous_result_free(result);
    different += i > 0 && memcmp(expected[i], expected[0], kPixels) != 0;
  }
  EXPECT(different == kPictures - 1); /* else results that are swapped would not be seen */
  atrous_session_destroy(alone);
  test_output(model);
  test_threads(model);
  test_submit(model);
  test_cancel(model);
  atrous_model_close(model);
  printf("%d failures\n", failures);
  return failures > 0;
}
