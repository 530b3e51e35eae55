/* A WebAssembly module's custom section. */
#include "host/config/wasm_section.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *section = NULL;
    size_t len = 0;
    uint8_t *copy = fuzz_copy(data, size);
    if (rb_wasm_section_find(copy, size, "rapidbyte.manifest", &section, &len) ==
        RB_WASM_SECTION_FOUND) {
        FUZZ_CHECK(section >= copy && len <= size && section + len <= copy + size);
    }
    free(copy);
    return 0;
}
