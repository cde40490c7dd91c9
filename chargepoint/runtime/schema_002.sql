-- A checksum for each record (`record_crc` is a function of store.py), so that a changed byte is found where it is read.
CREATE TABLE checked (
    charger TEXT NOT NULL,
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    body    TEXT NOT NULL,
    crc     INTEGER NOT NULL,
    PRIMARY KEY (charger, kind, key)
) WITHOUT ROWID;
INSERT INTO checked SELECT charger, kind, key, body, record_crc(charger, kind, key, body) FROM record;
DROP TABLE record;
ALTER TABLE checked RENAME TO record;
-- Second copies of the records that money depends on, on pages of their own: `RecordKind.copy_after_s` chooses them.
CREATE TABLE copy (
    charger TEXT NOT NULL,
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    body    TEXT NOT NULL,
    crc     INTEGER NOT NULL,
    PRIMARY KEY (charger, kind, key)
) WITHOUT ROWID;
