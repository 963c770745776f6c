//! Rules without I/O, SQL or GraphQL: lifecycle, addresses, operations.
