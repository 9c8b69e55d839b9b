/* SPDX-License-Identifier: Apache-2.0 */
/* example PHOTO MASK.png: segments a photo with the embedded model. cc example.c $(pkg-config --cflags --libs
 * atrous) */
#include <atrous.h>
#include <stdio.h>

static int fail(const char* file) {
  fprintf(stderr, "%s: %s\n", file, atrous_last_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  atrous_model* model = NULL;
  atrous_session* session = NULL;
  atrous_result* result = NULL;
  atrous_session_options options = {sizeof(options)};
  options.superpixels = 400;
  int status = 0;
  if (atrous_model_open(NULL, NULL, &model) != ATROUS_OK ||
      atrous_session_create(model, &options, &session) != ATROUS_OK ||
      atrous_segment_file(session, argv[1], &result) != ATROUS_OK ||
      atrous_result_write_mask(result, argv[2]) != ATROUS_OK)
    status = fail(argv[1]);
  else
    printf("%dx%d pixels, the first is %s\n", (int)atrous_result_width(result),
           (int)atrous_result_height(result),
           atrous_model_class_name(model, atrous_result_labels(result)[0]));
  atrous_result_free(result);
  atrous_session_destroy(session);
  atrous_model_close(model);
  return status;
}
