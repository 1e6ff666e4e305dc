#include "services/common/model/signal_name.h"
#include "services/common/base/macros.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct signal_row {
    const char *name;
    int number;
    bool may_stop;
} signals[] = {
    {"SIGHUP", SIGHUP, true},        {"SIGINT", SIGINT, true},    {"SIGQUIT", SIGQUIT, true},
    {"SIGILL", SIGILL, false},       {"SIGTRAP", SIGTRAP, false}, {"SIGABRT", SIGABRT, false},
    {"SIGBUS", SIGBUS, false},       {"SIGFPE", SIGFPE, false},   {"SIGKILL", SIGKILL, true},
    {"SIGUSR1", SIGUSR1, true},      {"SIGSEGV", SIGSEGV, false}, {"SIGUSR2", SIGUSR2, true},
    {"SIGPIPE", SIGPIPE, false},     {"SIGALRM", SIGALRM, false}, {"SIGTERM", SIGTERM, true},
    {"SIGCHLD", SIGCHLD, false},     {"SIGCONT", SIGCONT, false}, {"SIGSTOP", SIGSTOP, false},
    {"SIGTSTP", SIGTSTP, false},     {"SIGTTIN", SIGTTIN, false}, {"SIGTTOU", SIGTTOU, false},
    {"SIGURG", SIGURG, false},       {"SIGXCPU", SIGXCPU, false}, {"SIGXFSZ", SIGXFSZ, false},
    {"SIGVTALRM", SIGVTALRM, false}, {"SIGPROF", SIGPROF, false}, {"SIGWINCH", SIGWINCH, true},
    {"SIGIO", SIGIO, false},         {"SIGPWR", SIGPWR, true},    {"SIGSYS", SIGSYS, false},
};

int signal_number(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (strcmp(signals[i].name, name) == 0 || strcmp(signals[i].name + strlen("SIG"), name) == 0)
            return signals[i].number;
    }
    return -1;
}

static const struct signal_row *row_of(int number)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (signals[i].number == number)
            return &signals[i];
    }
    return NULL;
}

const char *signal_name(int number)
{
    static _Thread_local char unknown[24];
    const struct signal_row *row = row_of(number);
    if (row)
        return row->name;
    snprintf(unknown, sizeof unknown, "SIG%d", number);
    return unknown;
}

bool signal_may_stop(int number)
{
    const struct signal_row *row = row_of(number);
    return row && row->may_stop;
}
