-- A read-only account for Grafana. Compose runs this script when it creates the volume. For an existing volume, run it
-- in the container with `psql -U superfan -f`.
\getenv password SUPERFAN_READER_PASSWORD
CREATE ROLE superfan_reader LOGIN PASSWORD :'password';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO superfan_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO superfan_reader;
