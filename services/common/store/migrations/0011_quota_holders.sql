-- Tokens of one name and namespace share their quotas.
CREATE INDEX token_name ON token (name);
