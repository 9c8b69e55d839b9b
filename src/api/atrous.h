/* SPDX-License-Identifier: Apache-2.0 */
/* atrous, the C interface: label maps of photos by DeepLab and human-parsing networks.
 *
 * Every function that can fail returns an atrous_status; atrous_last_error() then says why, in one line, for
 * the calling thread. Handles are opaque. Threads may share a model, whose weights exist once whatever the
 * number of sessions, and a session, which does one job at a time; a result may be read by many threads.
 * Only what closes, destroys or frees a handle must be its last use. Every struct begins with its size: set
 * struct_size to sizeof the struct and the rest to zero, so that fields added later keep their defaults.
 * Strings are UTF-8 and end with a zero byte; those returned belong to the library. */
#ifndef ATROUS_H
#define ATROUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define ATROUS_API __attribute__((visibility("default")))
#else
#define ATROUS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum atrous_status {
  ATROUS_OK = 0,
  ATROUS_INVALID_ARGUMENT =
      1,                  /* the call makes no sense: a null pointer, a size below 1, an unknown preset */
  ATROUS_NOT_FOUND = 2,   /* no such file, model or device */
  ATROUS_BAD_FILE = 3,    /* an image or weights file is broken */
  ATROUS_BAD_CONFIG = 4,  /* a YAML config is not valid; the message begins with file:line */
  ATROUS_UNSUPPORTED = 5, /* this build or device cannot do it */
  ATROUS_IO = 6,          /* reading or writing failed */
  ATROUS_OUT_OF_MEMORY = 7,
  ATROUS_INTERNAL = 8, /* a defect of the library */
  ATROUS_CANCELLED = 9 /* by atrous_cancel or atrous_session_destroy */
} atrous_status;

typedef enum atrous_pixel_format {
  ATROUS_RGB = 0,
  ATROUS_BGR = 1,
  ATROUS_RGBA = 2, /* alpha is ignored */
  ATROUS_BGRA = 3,
  ATROUS_GRAY = 4
} atrous_pixel_format;

typedef enum atrous_number_type {
  ATROUS_FLOAT32 = 0,
  ATROUS_FLOAT16 = 1 /* IEEE binary16 */
} atrous_number_type;

typedef struct atrous_model atrous_model;
typedef struct atrous_session atrous_session;
typedef struct atrous_result atrous_result;

typedef struct atrous_model_options {
  size_t struct_size;
  const char* device;    /* "auto" (also null), "cpu", "cuda" or "cuda:N" */
  const char* precision; /* "auto" (also null), "fp32", "tf32", "fp16", "bf16" or "int8" */
} atrous_model_options;

typedef struct atrous_session_options {
  size_t struct_size;
  int32_t threads;       /* CPU threads; 0: all */
  int32_t flip;          /* 1: mirrored inference too */
  int32_t probabilities; /* 1: keep them in the result */
  int32_t superpixels;   /* 0: as the config says, -1: off, -2: the default number, else how many */
  const char* crf; /* null: as the config says; "off", a preset or "key=value,..."; "": the default preset */
  const double* scales; /* multi-scale inference; null: 1 */
  size_t scale_count;
} atrous_session_options;

/* Pixels of the caller, 8 bits a channel: row y begins at pixels + y * stride. */
typedef struct atrous_image {
  size_t struct_size;
  const uint8_t* pixels;
  int32_t width, height; /* in pixels, at least 1 */
  ptrdiff_t stride;      /* bytes from row to row, at least width x channels; 0: exactly that */
  int32_t format;        /* an atrous_pixel_format */
} atrous_image;

/* Memory of the caller for what comes out, rows without gaps. Its content is undefined after a failure. */
typedef struct atrous_output {
  size_t struct_size;
  uint8_t* labels;          /* class ids [height, width], 255 = ignore; null: not wanted */
  size_t label_count;       /* elements that `labels` has room for */
  void* probabilities;      /* [classes, height, width], sums to 1 over classes; null: not wanted. The session
                               must have been made with `probabilities` */
  size_t probability_count; /* elements that `probabilities` has room for */
  int32_t probability_type; /* an atrous_number_type */
} atrous_output;

ATROUS_API const char* atrous_version(void);
/* Why the calling thread's last call failed; "" where it did not. Valid until its next call. */
ATROUS_API const char* atrous_last_error(void);

/* Opens a model: a name on the model path, a path to a YAML or ONNX file, or null for the embedded one.
 * `options` may be null. On success *model must be given to atrous_model_close; sessions keep what they need
 * of it. */
ATROUS_API atrous_status atrous_model_open(const char* name_or_path, const atrous_model_options* options,
                                           atrous_model** model);
ATROUS_API void atrous_model_close(atrous_model* model);
ATROUS_API const char* atrous_model_name(const atrous_model* model);    /* null for a null model */
ATROUS_API int32_t atrous_model_class_count(const atrous_model* model); /* 0 for a null model */
/* Name of class `id`, null where there is none. */
ATROUS_API const char* atrous_model_class_name(const atrous_model* model, int32_t id);
/* Its palette colour: red, green, blue. */
ATROUS_API atrous_status atrous_model_class_color(const atrous_model* model, int32_t id, uint8_t rgb[3]);

/* A session holds working memory and does one job at a time, in a thread of the caller or, for what was
 * submitted, in one of its own. For jobs side by side make more sessions. `options` may be null. */
ATROUS_API atrous_status atrous_session_create(const atrous_model* model,
                                               const atrous_session_options* options,
                                               atrous_session** session);
/* Cancels what is submitted and returns when every callback has returned. Not to be called from one. */
ATROUS_API void atrous_session_destroy(atrous_session* session);

/* Segments an image in memory, or an image file (JPEG, PNG, WebP, TIFF, BMP; turned as its EXIF says). On
 * success *result must be given to atrous_result_free; it outlives its session. */
ATROUS_API atrous_status atrous_segment(atrous_session* session, const atrous_image* image,
                                        atrous_result** result);
ATROUS_API atrous_status atrous_segment_file(atrous_session* session, const char* file,
                                             atrous_result** result);
/* Segments only what boxes of an image hold, each on its own: `boxes` are `count` times x, y, width, height
 * in pixels (from the top left corner, fractions allowed), each scaled by `enlarge` (0: 1) about its centre,
 * outward to whole pixels, and clipped. The result has the image's size; what no box covers is class 0.
 * Where boxes overlap, a pixel is taken from the first that sees a class other than 0 there, else from the
 * last. No boxes: the whole image. ATROUS_INVALID_ARGUMENT where a box is empty or wholly outside. */
ATROUS_API atrous_status atrous_segment_boxes(atrous_session* session, const atrous_image* image,
                                              const double* boxes, size_t count, double enlarge,
                                              atrous_result** result);
/* Segments an image into memory of the caller. */
ATROUS_API atrous_status atrous_segment_into(atrous_session* session, const atrous_image* image,
                                             const atrous_output* output);
ATROUS_API void atrous_result_free(atrous_result* result);

/* Called once when a submitted job is over, on the session's thread; atrous_last_error() there says why it
 * failed. `result` is null after a failure and where the job has an output of its own; else it must be given
 * to atrous_result_free. It may submit and cancel, and must not throw. */
typedef void (*atrous_callback)(void* user, uint64_t job, atrous_status status, atrous_result* result);
/* Segments an image in the background; jobs of one session are done in the order of their submission. The
 * structs are copied, but the pixels and, where `output` is not null, its memory are used until `callback` is
 * called. Fails, and never calls it, where the arguments make no sense. *job (which may be null) is the job's
 * number, from 1. */
ATROUS_API atrous_status atrous_submit(atrous_session* session, const atrous_image* image,
                                       const atrous_output* output, atrous_callback callback, void* user,
                                       uint64_t* job);
/* Cancels a job, or with 0 all that the session does or has before it, calls in other threads too: they end
 * with ATROUS_CANCELLED, within a step of the network or of the refinement where they had begun. Nothing
 * happens where the job is over. From any thread. */
ATROUS_API void atrous_cancel(atrous_session* session, uint64_t job);

ATROUS_API int32_t atrous_result_width(const atrous_result* result); /* the image's, in pixels */
ATROUS_API int32_t atrous_result_height(const atrous_result* result);
/* Class ids [height, width], 255 = ignore; belongs to the result. */
ATROUS_API const uint8_t* atrous_result_labels(const atrous_result* result);
/* Copies what `output` wants of a result. ATROUS_INVALID_ARGUMENT where probabilities were not asked for, or
 * something does not fit. */
ATROUS_API atrous_status atrous_result_copy(const atrous_result* result, const atrous_output* output);
/* Writes the label map as an 8-bit indexed PNG with the model's palette, all of it or nothing. */
ATROUS_API atrous_status atrous_result_write_mask(const atrous_result* result, const char* file);

#ifdef __cplusplus
}
#endif
#endif
