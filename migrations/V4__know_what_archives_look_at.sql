-- Which apps archives are about. Until now a snapshot of one counted as a look at every app there was.

-- An archive may show any app, and need not be about all: its snapshots are looks at those apps of which
-- some archive has shown a process, or was said to show all. (Some, for the answers do not depend on how
-- archives are split.)
CREATE TABLE archive_app (
    app INTEGER PRIMARY KEY REFERENCES word
) STRICT;
INSERT INTO archive_app
SELECT DISTINCT p.app FROM process p
WHERE EXISTS (SELECT 1 FROM sighting s JOIN stream t USING (stream_id)
              WHERE s.process_key = p.process_key AND t.app IS NULL);

-- A process that never started, and was first seen when it had ended, held its endpoint until then at the
-- latest; it was put down as a hold that ends before it begins.
UPDATE hold SET held_from_ms = held_until_ms
WHERE held_until_ms < held_from_ms
  AND (SELECT started_ms FROM process p WHERE p.process_key = hold.process_key) IS NULL;
