// Named SQL, as services/common/store/embed_sql.sh embeds it. A statement is known by its index in a table.
#pragma once

struct db_statement {
    const char *name; // the server-side name of the prepared statement, and what errors call it
    const char *sql;
};

struct db_migration {
    int version; // 1, 2, ... without gaps
    const char *name;
    const char *sql; // any number of statements; runs in one transaction
};
