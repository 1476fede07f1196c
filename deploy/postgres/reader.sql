-- The account that Grafana asks with: it reads what the sink writes and changes nothing. Compose runs this when the
-- volume is made; for one that is there already, run it in the container by `psql -U superfan -f`.
\getenv password SUPERFAN_READER_PASSWORD
CREATE ROLE superfan_reader LOGIN PASSWORD :'password';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO superfan_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO superfan_reader;
