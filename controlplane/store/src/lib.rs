//! SQL: the same statements on SQLite and PostgreSQL.
