#include "host/cli/fields.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/text.h"

enum { GAP = 2, NAME_MIN = 4, NAME_LITTLE = 8, NAME_ENOUGH = 20, RANK_WANTED = 2 };

void rb_fields_add(struct rb_fields *fields, int width, int rank, const char *fmt, ...)
{
    if (fields->n == RB_FIELDS_MAX) {
        return;
    }
    struct rb_field *field = &fields->items[fields->n];
    va_list args;
    va_start(args, fmt);
    vsnprintf(field->text, sizeof field->text, fmt, args);
    va_end(args);
    rb_text_sanitize(field->text); /* for its width */
    field->width = width;
    field->rank = rank;
    fields->n += field->text[0] != 0 ? 1 : 0;
}

static size_t field_columns(const struct rb_field *field)
{
    size_t width = rb_text_width(field->text), least = (size_t)abs(field->width);
    return width > least ? width : least;
}

/* What the line takes with the fields up to that rank. */
static size_t line_columns(const struct rb_fields *fields, int rank)
{
    size_t sum = 0;
    for (size_t i = 0; i < fields->n; i++) {
        sum += fields->items[i].rank <= rank ? GAP + field_columns(&fields->items[i]) : 0;
    }
    return sum;
}

static int highest_rank(const struct rb_fields *fields, size_t columns)
{
    int rank = 0;
    for (size_t i = 0; i < fields->n; i++) {
        rank = fields->items[i].rank > rank ? fields->items[i].rank : rank;
    }
    size_t name = fields->n > 0 ? field_columns(&fields->items[0]) : 0;
    for (; rank > 0; rank--) {
        /* Before a field goes the name is shortened: for what is wanted most, to little. */
        size_t keep = rank <= RANK_WANTED ? NAME_LITTLE : NAME_ENOUGH;
        size_t give = name > keep ? name - keep : 0;
        if (line_columns(fields, rank) <= columns + give) {
            break;
        }
    }
    return rank;
}

/* At most `columns` of it, the last of them an ellipsis where something is left out. */
static void shorten(char *text, size_t columns)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    if (rb_text_width(text) <= columns) {
        return;
    }
    size_t seen = 0;
    char *at = text;
    for (; *at != 0; at++) {
        if (((unsigned char)*at & 0xc0U) != 0x80U && ++seen == columns) {
            break;
        }
    }
    if ((size_t)(at - text) + sizeof ellipsis <= RB_FIELD_TEXT_MAX) {
        memcpy(at, ellipsis, sizeof ellipsis);
    } else {
        *at = 0;
    }
}

void rb_fields_format(const struct rb_fields *fields, size_t columns, char *out, size_t cap)
{
    int rank = highest_rank(fields, columns);
    size_t all = line_columns(fields, rank), at = 0;
    out[0] = 0;
    for (size_t i = 0; i < fields->n && at < cap; i++) {
        struct rb_field field = fields->items[i];
        if (field.rank > rank) {
            continue;
        }
        size_t width = field_columns(&field);
        if (i == 0 && all > columns) {
            size_t over = all - columns;
            width = width > over + NAME_MIN ? width - over : NAME_MIN;
            shorten(field.text, width);
        }
        size_t used = rb_text_width(field.text);
        int fill = (int)(width > used ? width - used : 0);
        bool last = i + 1 == fields->n;
        at += (size_t)snprintf(out + at, cap - at, "  %*s%s%*s", field.width > 0 ? fill : 0, "",
                               field.text, field.width < 0 && !last ? fill : 0, "");
    }
}
