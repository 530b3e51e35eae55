#include "base/hash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rb_hash_rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rb_hash_rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rb_hash_rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rb_hash_rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rb_hash_rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rb_hash_rotate_left(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

uint64_t rb_hash_siphash(const uint8_t key[16], const void *data, size_t len)
{
    uint64_t k0 = rb_load_le64(key);
    uint64_t k1 = rb_load_le64(key + 8);
    struct sip s = {
        .v0 = k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = k1 ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *p = data;
    size_t rest = len;
    for (; rest >= 8; rest -= 8, p += 8) {
        sip_word(&s, rb_load_le64(p));
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < rest; i++) {
        last |= (uint64_t)p[i] << (8 * i);
    }
    sip_word(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
