-- Times are milliseconds since the Unix epoch. Ids are numbers that grow with time (milliseconds,
-- then 21 bits of a counter); those of an event and of the deliveries made with it are consecutive.

CREATE TABLE webhooks (
    number               INTEGER PRIMARY KEY,
    uid                  BLOB    NOT NULL UNIQUE,
    -- Deliveries by where they stand, kept up to date with every change of one.
    pending              INTEGER NOT NULL DEFAULT 0,
    retrying             INTEGER NOT NULL DEFAULT 0,
    delivered            INTEGER NOT NULL DEFAULT 0,
    failed               INTEGER NOT NULL DEFAULT 0,
    -- The delivery attempted last, and the attempt that failed last.
    last                 INTEGER,
    last_failure         INTEGER,
    last_failure_attempt INTEGER,
    -- The generation at which the receiver answered 410 Gone.
    gone_generation      INTEGER,
    -- The failures of the receiver since it last took a delivery: at which generation, when the first
    -- and the latest were, and how many. Null where there are none.
    failing_generation   INTEGER,
    failing_since        INTEGER,
    failing_last         INTEGER,
    failing_attempts     INTEGER,
    -- Whether the webhook is deleted; the row goes with its last delivery.
    removed              INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE events (
    key         INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL,
    namespace   TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    -- How many deliveries were made with it: those numbered key + 1 to key + fanout.
    fanout      INTEGER NOT NULL,
    fingerprint BLOB    NOT NULL,
    -- Null where no delivery needs it any more; the row then only remembers the id.
    payload     BLOB,
    -- What it was published in: a trace (16 bytes), a span of it (8), and whether it is recorded (1).
    trace       BLOB
) STRICT;
CREATE INDEX events_by_id ON events (id, namespace);

CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    event       INTEGER NOT NULL,
    webhook     INTEGER NOT NULL,
    -- -1 parked: waits for others of its line, 0 pending, 1 delivered, 2 failed, 3 dead-lettered, 4 canceled
    state       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    -- The attempts already made when the present retry budget began.
    budget_from INTEGER NOT NULL,
    -- While pending: when the next attempt is due. Afterwards: when it ended.
    at          INTEGER NOT NULL,
    -- 0 event, 1 dead letter, 2 test
    kind        INTEGER NOT NULL,
    -- Of a dead letter: the delivery that failed. It was not made with its event.
    dead_letter_of INTEGER,
    -- Deliveries of a webhook in the same line go one after the other.
    line        INTEGER,
    -- What is due in the same batch is sent together; 0 where it belongs to none.
    batch       INTEGER NOT NULL,
    -- Bytes of the event's payload.
    size        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX dead_letters          ON deliveries (dead_letter_of) WHERE dead_letter_of IS NOT NULL;
CREATE        INDEX dead_letters_by_event ON deliveries (event)          WHERE dead_letter_of IS NOT NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook);
CREATE INDEX deliveries_unfinished ON deliveries (webhook, at, batch) WHERE state = 0;
CREATE INDEX deliveries_retrying   ON deliveries (webhook, state, at) WHERE state <= 0 AND attempts > 0;
CREATE INDEX deliveries_in_line    ON deliveries (webhook, line, state) WHERE state <= 0 AND line IS NOT NULL;
CREATE INDEX deliveries_unwell     ON deliveries (webhook) WHERE state > 1;

-- The WebhookDelivery objects that asked for a delivery.
CREATE TABLE origins (
    origin   BLOB    PRIMARY KEY,
    delivery INTEGER NOT NULL,
    event    INTEGER NOT NULL,
    -- 0 where the delivery was there already.
    made     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX origins_by_delivery ON origins (delivery);
CREATE INDEX origins_by_event    ON origins (event);

-- What users asked for by annotation, and was done. The origin stands for the annotation of an object.
CREATE TABLE requests (
    origin BLOB    PRIMARY KEY,
    value  TEXT    NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    delivery    INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    started     INTEGER NOT NULL,
    elapsed_us  INTEGER NOT NULL,
    -- The receiver's answer, or else why there was none.
    status      INTEGER,
    retry_after INTEGER,
    reason      TEXT,
    message     TEXT,
    response    BLOB    NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Webhooks that were made through the REST API where there is no cluster to keep them in.
CREATE TABLE kept_webhooks (
    namespace      TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    -- JSON.
    spec           TEXT    NOT NULL,
    generation     INTEGER NOT NULL,
    created        INTEGER NOT NULL,
    -- Secrets: nothing else in this database is one.
    signing_key    TEXT,
    previous_key   TEXT,
    previous_until INTEGER,
    PRIMARY KEY (namespace, name)
) STRICT;
