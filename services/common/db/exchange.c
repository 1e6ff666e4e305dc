#include "services/common/base/clock.h"
#include "services/common/db/connection.h"

#include <errno.h>
#include <poll.h>

int64_t exchange_deadline(const struct db *db)
{
    // The server ends a statement by itself; what is added is for a server or a network that does not answer at all.
    if (db->statement_timeout_ms < 0)
        return -1;
    return clock_boot_ms() + db->statement_timeout_ms + MAX(db->network_timeout_ms, 0);
}

// Waits for the socket. ERR_UNAVAILABLE and no connection when the deadline passes.
static int wait_socket(struct db *db, short events, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        int64_t left = deadline_ms < 0 ? -1 : MAX(deadline_ms - clock_boot_ms(), 0);
        struct pollfd descriptor = {.fd = PQsocket(db->connection), .events = events};
        int ready = poll(&descriptor, 1, (int)MIN(left, INT64_C(3600000)));
        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return connection_lose(db, "poll failed", err);
        if (ready == 0 && left == 0)
            return connection_lose(db, "the database does not answer", err);
    }
}

int exchange_pump(struct db *db, struct err *err)
{
    if (PQflush(db->connection) < 0 || !PQconsumeInput(db->connection))
        return connection_fail(db, NULL, "send", err);
    return 0;
}

int exchange_flush(struct db *db, int64_t deadline_ms, struct err *err)
{
    int pending;
    while ((pending = PQflush(db->connection)) > 0) {
        if (wait_socket(db, POLLIN | POLLOUT, deadline_ms, err) < 0)
            return -1;
        if (!PQconsumeInput(db->connection))
            return connection_fail(db, NULL, "send", err);
    }
    return pending < 0 ? connection_fail(db, NULL, "send", err) : 0;
}

int exchange_next(struct db *db, int64_t deadline_ms, PGresult **out, struct err *err)
{
    while (PQisBusy(db->connection)) {
        if (exchange_flush(db, deadline_ms, err) < 0)
            return -1;
        if (!PQisBusy(db->connection))
            break;
        if (wait_socket(db, POLLIN, deadline_ms, err) < 0)
            return -1;
        if (!PQconsumeInput(db->connection))
            return connection_fail(db, NULL, "receive", err);
    }
    *out = PQgetResult(db->connection);
    return 0;
}

static bool is_copy(ExecStatusType status)
{
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

int exchange_collect(struct db *db, const char *what, PGresult **out, struct err *err)
{
    int64_t deadline_ms = exchange_deadline(db);
    PGresult *failed AUTO_PG_RESULT = NULL;
    PGresult *last AUTO_PG_RESULT = NULL;
    if (exchange_flush(db, deadline_ms, err) < 0)
        return -1;
    for (;;) {
        PGresult *result AUTO_PG_RESULT = NULL;
        if (exchange_next(db, deadline_ms, &result, err) < 0)
            return -1;
        if (!result)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (is_copy(status))
            return connection_lose(db, "COPY is not supported", err);
        bool bad = status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR;
        PGresult **place = bad && !failed ? &failed : &last;
        PQclear(*place);
        *place = TAKE_PTR(result);
    }
    connection_note_state(db);
    if (failed)
        return connection_fail(db, failed, what, err);
    if (PQstatus(db->connection) != CONNECTION_OK)
        return connection_fail(db, NULL, what, err);
    if (out)
        *out = TAKE_PTR(last);
    return 0;
}
