/* A custom section of a WebAssembly module (WebAssembly core specification, 5.5). */
#ifndef RB_HOST_CONFIG_WASM_SECTION_H
#define RB_HOST_CONFIG_WASM_SECTION_H

#include <stddef.h>
#include <stdint.h>

enum rb_wasm_section_outcome {
    RB_WASM_SECTION_FOUND,
    RB_WASM_SECTION_NONE,
    RB_WASM_SECTION_NOT_WASM, /* wrong magic or version, or sections that run over the end */
};

/* The first custom section `name` of the module in data[0..len); borrowed from it. */
enum rb_wasm_section_outcome rb_wasm_section_find(const uint8_t *data, size_t len, const char *name,
                                                  const uint8_t **ret_data, size_t *ret_len);

#endif
