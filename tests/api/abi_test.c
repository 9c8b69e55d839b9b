/* SPDX-License-Identifier: Apache-2.0 */
/* What compiled programs rely on: places of fields, values of constants, types of functions. Fields may be
 * added at the end of a struct and constants at the end of an enum; a line below that no longer compiles
 * breaks every such program. */
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

#define TYPE(function, result, parameters) \
  _Static_assert(_Generic(&function, result(*) parameters : 1, default : 0), #function " has another type")

TYPE(atrous_version, const char*, (void));
TYPE(atrous_last_error, const char*, (void));
TYPE(atrous_model_open, atrous_status, (const char*, const atrous_model_options*, atrous_model**));
TYPE(atrous_model_close, void, (atrous_model*));
TYPE(atrous_model_name, const char*, (const atrous_model*));
TYPE(atrous_model_class_count, int32_t, (const atrous_model*));
TYPE(atrous_model_class_name, const char*, (const atrous_model*, int32_t));
TYPE(atrous_model_class_color, atrous_status, (const atrous_model*, int32_t, uint8_t*));
TYPE(atrous_session_create, atrous_status,
     (const atrous_model*, const atrous_session_options*, atrous_session**));
TYPE(atrous_session_destroy, void, (atrous_session*));
TYPE(atrous_segment, atrous_status, (atrous_session*, const atrous_image*, atrous_result**));
TYPE(atrous_segment_file, atrous_status, (atrous_session*, const char*, atrous_result**));
TYPE(atrous_segment_boxes, atrous_status,
     (atrous_session*, const atrous_image*, const double*, size_t, double, atrous_result**));
TYPE(atrous_segment_into, atrous_status, (atrous_session*, const atrous_image*, const atrous_output*));
TYPE(atrous_submit, atrous_status,
     (atrous_session*, const atrous_image*, const atrous_output*,
      void (*)(void*, uint64_t, atrous_status, atrous_result*), void*, uint64_t*));
TYPE(atrous_cancel, void, (atrous_session*, uint64_t));
TYPE(atrous_result_free, void, (atrous_result*));
TYPE(atrous_result_width, int32_t, (const atrous_result*));
TYPE(atrous_result_height, int32_t, (const atrous_result*));
TYPE(atrous_result_labels, const uint8_t*, (const atrous_result*));
TYPE(atrous_result_copy, atrous_status, (const atrous_result*, const atrous_output*));
TYPE(atrous_result_write_mask, atrous_status, (const atrous_result*, const char*));
