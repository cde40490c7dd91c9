-- What chargers must not forget, one row a record: kind and key as the model names them, body as JSON text.
CREATE TABLE record (
    charger TEXT NOT NULL,
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (charger, kind, key)
) WITHOUT ROWID;
