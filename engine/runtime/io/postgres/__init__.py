"""PostgreSQL, in and out, by ADBC: binary COPY both ways."""
