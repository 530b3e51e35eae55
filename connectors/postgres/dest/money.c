/* Money between databases whose currencies have other fractions: 1,234 yen are the number 1234, and
 * 12.34 dollars are, too. */
#include "connectors/postgres/dest/dest.h"
#include "gen/connectors/postgres/common/sql.h"

/* What casts of ours, under lc_monetary 'C', take money to have. */
enum { OUR_DIGITS = 2 };

/* As the user has it here. */
static int find_digits(struct rb_dest *dest, struct rb_error *err)
{
    RB_CLEANUP(rb_query_result_release) struct rb_query_result r;
    rb_query_result_init(&r);
    if (dest->money_asked) {
        return 0;
    }
    int status = rb_query_run_as_user(dest->conn, rb_sql_money_digits, NULL, 0, &r, err);
    dest->money_digits = (int)rb_query_int(&r, 0, 0, OUR_DIGITS);
    dest->money_asked = status == 0;
    return status;
}

static int refuse(const struct rb_column *column, int theirs, int ours, const char *why,
                  struct rb_error *err)
{
    int status = rb_error_set(err, RB_ESCHEMA, "MONEY_DIGITS",
                              "column \"%s\", type %s: money has %d digits after the point at the "
                              "source and %d here (lc_monetary), %s",
                              column->name, column->declared, theirs, ours, why);
    rb_error_set_hint(err,
                      "set lc_monetary of the two databases (or roles) to locales with as many, "
                      "or read the column from a view that casts it to numeric");
    return status;
}

int rb_money_settle(struct rb_dest *dest, const struct rb_column *column, bool same, bool to_money,
                    enum rb_cast *cast, struct rb_error *err)
{
    if (!column->has_money && (!to_money || same)) {
        return 0;
    }
    int status = find_digits(dest, err);
    if (status < 0) {
        return status;
    }
    int ours = dest->money_digits;
    int theirs = column->has_money ? column->money_digits : ours;
    if (!same && !(column->has_money && to_money)) {
        return theirs == OUR_DIGITS
                   ? 0
                   : refuse(column, theirs, ours, "and is cast as if it had 2", err);
    }
    if (theirs == ours) {
        return 0;
    }
    if (column->oid != RB_TYPE_MONEY_OID || column->form != RB_FORM_BINARY) {
        return refuse(column, theirs, ours, "and within another type it can't be converted", err);
    }
    rb_log(RB_LOG_INFO,
           "column \"%s\": money has %d digits after the point at the source and %d here: it is "
           "converted",
           column->name, theirs, ours);
    *cast = RB_CAST_MONEY;
    return 0;
}
