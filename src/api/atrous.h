/* SPDX-License-Identifier: Apache-2.0 */
/* atrous, the C interface: label maps of photos by DeepLab and human-parsing networks.
 *
 * Every function that can fail returns an atrous_status; atrous_last_error() then says why, in one line, for
 * the calling thread. Handles are opaque. A model is immutable and may be shared by threads; a session and a
 * result belong to one thread at a time. Every struct begins with its size: set struct_size to sizeof the
 * struct and the rest to zero, so that fields added later keep their defaults. Strings are UTF-8 and end with
 * a zero byte; those returned belong to the library. */
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
  ATROUS_INTERNAL = 8 /* a defect of the library */
} atrous_status;

typedef enum atrous_pixel_format {
  ATROUS_RGB = 0,
  ATROUS_BGR = 1,
  ATROUS_RGBA = 2, /* alpha is ignored */
  ATROUS_BGRA = 3,
  ATROUS_GRAY = 4
} atrous_pixel_format;

typedef struct atrous_model atrous_model;
typedef struct atrous_session atrous_session;
typedef struct atrous_result atrous_result;

typedef struct atrous_model_options {
  size_t struct_size;
  const char* device;    /* "auto" (also null), "cpu", "cuda" or "cuda:N" */
  const char* precision; /* "auto" (also null), "fp32", "fp16", "bf16" or "int8" */
} atrous_model_options;

typedef struct atrous_session_options {
  size_t struct_size;
  int32_t threads;       /* CPU threads; 0: all */
  int32_t flip;          /* 1: mirrored inference too */
  int32_t probabilities; /* 1: keep them in the result */
  int32_t superpixels;   /* 0: as the config says, -1: off, else how many */
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

ATROUS_API const char* atrous_version(void);
/* Why the calling thread's last failed call failed; "" where none did. Valid until its next call. */
ATROUS_API const char* atrous_last_error(void);

/* Opens a model: a name on the model path, a path to a YAML, or null for the embedded one. `options` may be
 * null. On success *model must be given to atrous_model_close; sessions keep what they need of it. */
ATROUS_API atrous_status atrous_model_open(const char* name_or_path, const atrous_model_options* options,
                                           atrous_model** model);
ATROUS_API void atrous_model_close(atrous_model* model);
ATROUS_API const char* atrous_model_name(const atrous_model* model);    /* null for a null model */
ATROUS_API int32_t atrous_model_class_count(const atrous_model* model); /* 0 for a null model */
/* Name of class `id`, null where there is none. */
ATROUS_API const char* atrous_model_class_name(const atrous_model* model, int32_t id);
/* Its palette colour: red, green, blue. */
ATROUS_API atrous_status atrous_model_class_color(const atrous_model* model, int32_t id, uint8_t rgb[3]);

/* A session holds the working memory of one thread. `options` may be null. */
ATROUS_API atrous_status atrous_session_create(const atrous_model* model,
                                               const atrous_session_options* options,
                                               atrous_session** session);
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
ATROUS_API void atrous_result_free(atrous_result* result);

ATROUS_API int32_t atrous_result_width(const atrous_result* result); /* the image's, in pixels */
ATROUS_API int32_t atrous_result_height(const atrous_result* result);
/* Class ids [height, width], 255 = ignore; belongs to the result. */
ATROUS_API const uint8_t* atrous_result_labels(const atrous_result* result);
/* Copies the probabilities, f32 [classes, height, width], which sum to 1 over classes. `count` is the number
 * of floats that `out` has room for. ATROUS_INVALID_ARGUMENT where they were not asked for or do not fit. */
ATROUS_API atrous_status atrous_result_probabilities(const atrous_result* result, float* out, size_t count);
/* Writes the label map as an 8-bit indexed PNG with the model's palette, all of it or nothing. */
ATROUS_API atrous_status atrous_result_write_mask(const atrous_result* result, const char* file);

#ifdef __cplusplus
}
#endif
#endif
