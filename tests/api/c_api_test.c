/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface with nothing but its header. Usage: c_api_test PHOTO FOLDER */
#include <atrous.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"

static int is_one_line(const char* text) { return text[0] != '\0' && strchr(text, '\n') == NULL; }

/* Nothing here may crash, and each failure says why. */
static void test_null_arguments(const atrous_model* model, atrous_session* session) {
  atrous_model* no_model = NULL;
  atrous_session* no_session = NULL;
  atrous_result* result = NULL;
  uint8_t rgb[3];
  float score;
  atrous_output output = {sizeof(output), NULL, 0, &score, 1, ATROUS_FLOAT32};
  EXPECT(atrous_model_open(NULL, NULL, NULL) == ATROUS_INVALID_ARGUMENT && is_one_line(atrous_last_error()));
  EXPECT(atrous_session_create(NULL, NULL, &no_session) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_session_create(model, NULL, NULL) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment(NULL, NULL, &result) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment(session, NULL, &result) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment_file(session, NULL, &result) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment_file(session, "x", NULL) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_result_copy(NULL, &output) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_result_write_mask(NULL, "x.png") == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_model_class_color(NULL, 0, rgb) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_model_class_count(NULL) == 0 && atrous_model_name(NULL) == NULL);
  EXPECT(atrous_model_class_name(NULL, 0) == NULL && atrous_model_class_name(model, -1) == NULL);
  EXPECT(atrous_model_class_name(model, atrous_model_class_count(model)) == NULL);
  EXPECT(atrous_result_width(NULL) == 0 && atrous_result_height(NULL) == 0 &&
         atrous_result_labels(NULL) == NULL);
  atrous_model_close(NULL);
  atrous_session_destroy(NULL);
  atrous_result_free(NULL);
  EXPECT(no_model == NULL && no_session == NULL && result == NULL);
}

static void test_options(const atrous_model* model) {
  atrous_model* other = NULL;
  atrous_session* session = NULL;
  EXPECT(atrous_model_open("no-such-model", NULL, &other) == ATROUS_NOT_FOUND &&
         is_one_line(atrous_last_error()));
  atrous_model_options options = {sizeof(options), "tpu", NULL};
  EXPECT(atrous_model_open(NULL, &options, &other) == ATROUS_INVALID_ARGUMENT);
  options.struct_size = 0;
  EXPECT(atrous_model_open(NULL, &options, &other) == ATROUS_INVALID_ARGUMENT && other == NULL);

  const double scales[] = {1, -1};
  atrous_session_options bad = {sizeof(bad), 0, 0, 0, 0, NULL, scales, 2};
  EXPECT(atrous_session_create(model, &bad, &session) == ATROUS_INVALID_ARGUMENT);
  bad.scales = NULL, bad.crf = "no-such-preset";
  EXPECT(atrous_session_create(model, &bad, &session) == ATROUS_INVALID_ARGUMENT);
  bad.struct_size = offsetof(atrous_session_options, crf); /* an older caller: crf was not there */
  EXPECT(atrous_session_create(model, &bad, &session) == ATROUS_OK);
  atrous_session_destroy(session);

  struct {
    atrous_session_options known;
    uint64_t later;
  } newer;
  memset(&newer, 0, sizeof(newer));
  newer.known.struct_size = sizeof(newer);
  EXPECT(atrous_session_create(model, &newer.known, &session) == ATROUS_OK);
  atrous_session_destroy(session);
  newer.later = 1;
  EXPECT(atrous_session_create(model, &newer.known, &session) == ATROUS_UNSUPPORTED && session == NULL);
}

/* The same picture in every pixel format and with gaps between rows: the same labels. */
static void test_formats(atrous_session* session) {
  enum { kWidth = 60, kHeight = 80, kStride = 4 * kWidth + 24 };
  static const int kChannels[] = {3, 3, 4, 4, 1}, kRed[] = {0, 2, 0, 2, 0}, kBlue[] = {2, 0, 2, 0, 0};
  static uint8_t pixels[kHeight * kStride], first[kWidth * kHeight];
  for (int format = ATROUS_RGB; format <= ATROUS_BGRA; ++format) {
    memset(pixels, 0xEE, sizeof(pixels));
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kWidth; ++x) {
        uint8_t* pixel = pixels + y * kStride + x * kChannels[format];
        pixel[kRed[format]] = (uint8_t)(x * 4), pixel[1] = (uint8_t)(y * 3),
        pixel[kBlue[format]] = (uint8_t)(x ^ y);
      }
    const atrous_image image = {sizeof(image), pixels, kWidth, kHeight, kStride, (atrous_pixel_format)format};
    atrous_result* result = NULL;
    EXPECT(atrous_segment(session, &image, &result) == ATROUS_OK);
    EXPECT(atrous_result_width(result) == kWidth && atrous_result_height(result) == kHeight);
    if (result != NULL && format == ATROUS_RGB) memcpy(first, atrous_result_labels(result), sizeof(first));
    if (result != NULL) EXPECT(memcmp(first, atrous_result_labels(result), sizeof(first)) == 0);
    atrous_result_free(result);
  }
  atrous_image bad = {sizeof(bad), pixels, kWidth, kHeight, 3 * kWidth - 1, ATROUS_RGB};
  atrous_result* result = NULL;
  EXPECT(atrous_segment(session, &bad, &result) == ATROUS_INVALID_ARGUMENT && result == NULL);
  bad.stride = 0, bad.width = 0;
  EXPECT(atrous_segment(session, &bad, &result) == ATROUS_INVALID_ARGUMENT);
  bad.width = kWidth, bad.format = 77;
  EXPECT(atrous_segment(session, &bad, &result) == ATROUS_INVALID_ARGUMENT);
  bad.format = ATROUS_RGB, bad.pixels = NULL;
  EXPECT(atrous_segment(session, &bad, &result) == ATROUS_INVALID_ARGUMENT);
}

/* Two boxes: the labels of the parts as pictures of their own, background around them. */
static void test_boxes(atrous_session* session) {
  enum { kWidth = 60, kHeight = 40, kPart = 20 };
  static uint8_t pixels[kHeight][kWidth][3];
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      for (int c = 0; c < 3; ++c) pixels[y][x][c] = (uint8_t)((x * (5 + c) + y * y) % 256);
  const double boxes[] = {0, 0, kPart, kHeight, 40, 0, 300, kHeight};
  atrous_image image = {sizeof(image), &pixels[0][0][0], kWidth, kHeight, 0, ATROUS_RGB};
  atrous_result *whole = NULL, *part = NULL;
  EXPECT(atrous_segment_boxes(session, &image, boxes, 2, 0, &whole) == ATROUS_OK);
  if (whole == NULL) return;
  EXPECT(atrous_result_width(whole) == kWidth && atrous_result_height(whole) == kHeight);
  for (int x0 = 0; x0 < kWidth; x0 += kPart) {
    image.pixels = &pixels[0][x0][0], image.width = kPart, image.stride = sizeof(pixels[0]);
    EXPECT(atrous_segment(session, &image, &part) == ATROUS_OK);
    int wrong = 0;
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kPart; ++x) {
        const uint8_t expected = x0 == kPart || part == NULL ? 0 : atrous_result_labels(part)[y * kPart + x];
        wrong += atrous_result_labels(whole)[y * kWidth + x0 + x] != expected;
      }
    EXPECT(wrong == 0);
    atrous_result_free(part);
  }
  atrous_result_free(whole);
  const double bad[][4] = {{0, 0, 0, 5}, {60, 0, 5, 5}, {NAN, 0, 5, 5}, {0, 0, INFINITY, 5}};
  for (int i = 0; i < 4; ++i) {
    EXPECT(atrous_segment_boxes(session, &image, bad[i], 1, 1, &whole) == ATROUS_INVALID_ARGUMENT);
    EXPECT(whole == NULL && is_one_line(atrous_last_error()));
  }
  EXPECT(atrous_segment_boxes(session, &image, NULL, 1, 1, &whole) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment_boxes(session, &image, boxes, 1, -1, &whole) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_segment_boxes(session, &image, NULL, 0, 1, &whole) == ATROUS_OK);
  atrous_result_free(whole);
}

static void test_photo(const atrous_model* model, atrous_session* session, const char* photo,
                       const char* folder) {
  atrous_result* result = NULL;
  EXPECT(atrous_segment_file(session, "no-such-photo.jpg", &result) == ATROUS_NOT_FOUND);
  EXPECT(strstr(atrous_last_error(), "no-such-photo.jpg") != NULL);
  EXPECT(atrous_segment_file(session, photo, &result) == ATROUS_OK);
  if (result == NULL) return;
  const size_t pixels = (size_t)atrous_result_width(result) * (size_t)atrous_result_height(result);
  const int classes = atrous_model_class_count(model);
  float* scores = malloc(pixels * (size_t)classes * sizeof(float));
  atrous_output output = {sizeof(output), NULL, 0, scores, pixels * (size_t)classes - 1, ATROUS_FLOAT32};
  EXPECT(atrous_result_copy(result, NULL) == ATROUS_INVALID_ARGUMENT);
  EXPECT(atrous_result_copy(result, &output) == ATROUS_INVALID_ARGUMENT);
  ++output.probability_count;
  EXPECT(atrous_result_copy(result, &output) == ATROUS_OK);
  size_t wrong = 0;
  for (size_t i = 0; i < pixels; ++i) {
    double sum = 0;
    const uint8_t id = atrous_result_labels(result)[i];
    for (int c = 0; c < classes; ++c) {
      sum += scores[(size_t)c * pixels + i];
      wrong += scores[(size_t)c * pixels + i] > scores[(size_t)id * pixels + i];
    }
    wrong += fabs(sum - 1) > 1e-3;
  }
  EXPECT(wrong == 0);
  free(scores);
  char file[4096];
  snprintf(file, sizeof(file), "%s/c_api_mask.png", folder);
  remove(file);
  EXPECT(atrous_result_write_mask(result, file) == ATROUS_OK);
  FILE* written = fopen(file, "rb");
  EXPECT(written != NULL);
  if (written != NULL) fclose(written);
  EXPECT(atrous_result_write_mask(result, "/dev/null/x.png") == ATROUS_IO);
  atrous_result_free(result);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  atrous_model* model = NULL;
  atrous_session* session = NULL;
  EXPECT(atrous_version()[0] != '\0');
  EXPECT(atrous_model_open(NULL, NULL, &model) == ATROUS_OK && atrous_last_error()[0] == '\0');
  atrous_session_options options = {sizeof(options), 2, 0, 1, 0, NULL, NULL, 0};
  EXPECT(atrous_session_create(model, &options, &session) == ATROUS_OK);
  if (failures > 0) return 1;
  EXPECT(atrous_model_class_count(model) == 14 && strcmp(atrous_model_class_name(model, 2), "hair") == 0);
  uint8_t rgb[3] = {1, 1, 1};
  EXPECT(atrous_model_class_color(model, 0, rgb) == ATROUS_OK && rgb[0] + rgb[1] + rgb[2] == 0);
  test_null_arguments(model, session);
  test_options(model);
  test_formats(session);
  test_boxes(session);
  test_photo(model, session, argv[1], argv[2]);
  atrous_model_close(model); /* the session keeps what it needs */
  test_formats(session);
  atrous_session_destroy(session);
  printf("%d failures\n", failures);
  return failures > 0;
}
