-- Amounts are 16-byte big-endian blobs: wei do not fit SQLite's integers, and blobs of one length compare like numbers.
-- The constraints repeat, by name, what the code has checked before: the second line of the money's defence.

CREATE TABLE IF NOT EXISTS lanes (
    lane           INTEGER PRIMARY KEY,
    fence          INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    next_sequence  INTEGER NOT NULL,
    served_at_ms   INTEGER NOT NULL,
    protocol_total BLOB    NOT NULL,
    gateway_total  BLOB    NOT NULL,
    CONSTRAINT lane_amounts_are_wide CHECK (length(protocol_total) = 16 AND length(gateway_total) = 16),
    CONSTRAINT sequence_counts_up CHECK (next_sequence >= 0 AND epoch >= 0)
) STRICT;

CREATE TABLE IF NOT EXISTS channels (
    channel_id   BLOB PRIMARY KEY,
    config       BLOB NOT NULL,
    spent        BLOB NOT NULL,
    committed    BLOB NOT NULL, -- spent and held: a hold needs no row of its own, for none outlives its process
    funded       BLOB NOT NULL, -- the highest finalized deposit seen
    ceiling      BLOB NOT NULL, -- what may be committed: the signed voucher's amount, or the deposit
    voucher      BLOB,          -- the signature over the ceiling, where the payer signs
    previous     BLOB NOT NULL,
    CONSTRAINT channel_amounts_are_wide
        CHECK (length(spent) = 16 AND length(committed) = 16 AND length(funded) = 16 AND length(ceiling) = 16),
    CONSTRAINT spent_is_committed CHECK (spent <= committed),
    CONSTRAINT committed_is_funded CHECK (committed <= funded),
    CONSTRAINT committed_is_promised CHECK (committed <= ceiling)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS parties (
    kind     INTEGER NOT NULL, -- 0 node, 1 listing: as the chain's claims
    party    BLOB    NOT NULL, -- the node's address, or the listing's id and version
    total    BLOB    NOT NULL,
    previous BLOB    NOT NULL,
    PRIMARY KEY (kind, party),
    CONSTRAINT party_amounts_are_wide CHECK (length(total) = 16 AND length(previous) = 16)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS orders (
    digest      BLOB PRIMARY KEY, -- of a request that its payer signed: it is served once
    deadline_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS answers (
    channel_id BLOB    NOT NULL,
    key        TEXT    NOT NULL,
    body_hash  BLOB    NOT NULL,
    request_id BLOB    NOT NULL,
    made_ms    INTEGER NOT NULL,
    stored     BLOB,             -- NULL while the request is in progress
    PRIMARY KEY (channel_id, key),
    CONSTRAINT key_is_short CHECK (length(key) BETWEEN 1 AND 255)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (made_ms);

CREATE TABLE IF NOT EXISTS receipts (
    id           INTEGER PRIMARY KEY,
    epoch        INTEGER NOT NULL,
    lane         INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,
    request_id   BLOB    NOT NULL,
    channel_id   BLOB    NOT NULL,
    node         BLOB    NOT NULL,
    struct_hash  BLOB    NOT NULL,
    fee          BLOB    NOT NULL,
    record       BLOB    NOT NULL, -- everything but the gateway's seal
    salt         BLOB    NOT NULL,
    CONSTRAINT one_receipt_a_place UNIQUE (epoch, lane, sequence),
    CONSTRAINT receipt_fee_is_wide CHECK (length(fee) = 16)
) STRICT;

-- Where a request's receipt is. Request ids come in no order, so that keeping an index of them with each receipt would
-- change a page for each: it is brought up to date once in a while, and what is newer is looked through.
CREATE TABLE IF NOT EXISTS receipts_by_request (
    start   BLOB    NOT NULL, -- the first 8 bytes of the request's id
    receipt INTEGER NOT NULL,
    PRIMARY KEY (start, receipt)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS indexed (
    one   INTEGER PRIMARY KEY,
    up_to INTEGER NOT NULL -- the last receipt that the index knows
) STRICT;

CREATE TABLE IF NOT EXISTS batches (
    lane           INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    signature      BLOB    NOT NULL,
    PRIMARY KEY (lane, epoch, first_sequence),
    CONSTRAINT batch_is_bounded CHECK (size BETWEEN 1 AND 64),
    CONSTRAINT signature_is_whole CHECK (length(signature) = 65)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS epochs (
    epoch     INTEGER PRIMARY KEY,
    state     TEXT    NOT NULL,
    size      INTEGER NOT NULL,
    root      BLOB    NOT NULL, -- packed EpochRoot
    signature BLOB    NOT NULL,
    stored    BLOB    NOT NULL, -- msgpack: the archives' promises
    CONSTRAINT state_is_known CHECK (state IN ('closed', 'stored', 'handed_over', 'anchored'))
) STRICT;
