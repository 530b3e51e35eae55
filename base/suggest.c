#include "base/suggest.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 63 };

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int lower(char c)
{
    return tolower((unsigned char)c);
}

size_t rb_suggest_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1]; /* the row before the last, the last, this one */
    size_t n = strnlen(a, WORD_MAX), m = strnlen(b, WORD_MAX);
    memset(rows, 0, sizeof rows);
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t cost = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
            now[j] = min_size(min_size(last[j], now[j - 1]) + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                now[j] = min_size(now[j], before[j - 2] + 1);
            }
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

void rb_suggest_init(struct rb_suggest *suggest, const char *wrong)
{
    /* A third of the word may be wrong; in a short one, one letter. */
    size_t allowed = strlen(wrong) / 3;
    *suggest = (struct rb_suggest){
        .wrong = wrong, .best = NULL, .best_distance = (allowed == 0 ? 1 : allowed) + 1};
}

void rb_suggest_offer(struct rb_suggest *suggest, const char *word)
{
    size_t distance = rb_suggest_distance(suggest->wrong, word);
    if (distance < suggest->best_distance) {
        suggest->best_distance = distance;
        suggest->best = word;
    }
}

void rb_suggest_hint(const struct rb_suggest *suggest, struct rb_error *err)
{
    if (err != NULL && suggest->best != NULL) {
        rb_error_set_hint(err, "did you mean \"%s\"?", suggest->best);
    }
}
