/* SPDX-License-Identifier: Apache-2.0 */
/* What compiled programs rely on: places of fields and values of constants. Fields may be added at the end of
 * a struct and constants at the end of an enum; a line below that no longer compiles breaks every such
 * program. */
#include <atrous.h>

#define PLACE(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")
#define VALUE(name, value) _Static_assert((int)(name) == (value), #name " has another value")

#if UINTPTR_MAX == 0xffffffffffffffff
PLACE(atrous_model_options, struct_size, 0);
PLACE(atrous_model_options, device, 8);
PLACE(atrous_model_options, precision, 16);

PLACE(atrous_session_options, struct_size, 0);
PLACE(atrous_session_options, threads, 8);
PLACE(atrous_session_options, flip, 12);
PLACE(atrous_session_options, probabilities, 16);
PLACE(atrous_session_options, superpixels, 20);
PLACE(atrous_session_options, crf, 24);
PLACE(atrous_session_options, scales, 32);
PLACE(atrous_session_options, scale_count, 40);

PLACE(atrous_image, struct_size, 0);
PLACE(atrous_image, pixels, 8);
PLACE(atrous_image, width, 16);
PLACE(atrous_image, height, 20);
PLACE(atrous_image, stride, 24);
PLACE(atrous_image, format, 32);

PLACE(atrous_output, struct_size, 0);
PLACE(atrous_output, labels, 8);
PLACE(atrous_output, label_count, 16);
PLACE(atrous_output, probabilities, 24);
PLACE(atrous_output, probability_count, 32);
PLACE(atrous_output, probability_type, 40);
#endif

VALUE(ATROUS_OK, 0);
VALUE(ATROUS_INVALID_ARGUMENT, 1);
VALUE(ATROUS_NOT_FOUND, 2);
VALUE(ATROUS_BAD_FILE, 3);
VALUE(ATROUS_BAD_CONFIG, 4);
VALUE(ATROUS_UNSUPPORTED, 5);
VALUE(ATROUS_IO, 6);
VALUE(ATROUS_OUT_OF_MEMORY, 7);
VALUE(ATROUS_INTERNAL, 8);
VALUE(ATROUS_CANCELLED, 9);
VALUE(ATROUS_RGB, 0);
VALUE(ATROUS_BGR, 1);
VALUE(ATROUS_RGBA, 2);
VALUE(ATROUS_BGRA, 3);
VALUE(ATROUS_GRAY, 4);
VALUE(ATROUS_FLOAT32, 0);
VALUE(ATROUS_FLOAT16, 1);
