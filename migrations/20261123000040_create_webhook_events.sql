-- What HubSpot told of changes. The key is what the row is about and not its number: looking for a duplicate in a further
-- unique index locks the gap in front of it, and deliveries that arrive together would hold each other up.
CREATE TABLE IF NOT EXISTS webhook_events (
    event_key      BINARY(32) NOT NULL COMMENT 'SHA-256 of all that tells this event from others, its attempt included: HubSpot''s eventId alone is not unique',
    id             BIGINT NOT NULL AUTO_INCREMENT COMMENT 'Rises with arrival',
    object_type_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'HubSpot''s id of the type, such as 0-1 for contacts',
    hubspot_id     BIGINT NOT NULL COMMENT 'The record it is about; of a merge the record that remains, of a link the one it was told from',
    kind           VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'creation, property_change, deletion, privacy_deletion, merge, restore or association_change',
    property       VARCHAR(255) NULL COMMENT 'The property that changed; its value is not kept, because the record is read again',
    event_id       BIGINT NOT NULL COMMENT 'HubSpot''s number of the event',
    attempt        INT NOT NULL COMMENT 'How often HubSpot had sent it before',
    change_source  VARCHAR(64) NULL COMMENT 'What made the change, in HubSpot''s words',
    is_own         BOOLEAN NOT NULL COMMENT 'Whether the app that is told made the change itself',
    occurred_at    DATETIME(3) NOT NULL COMMENT 'When it happened, by HubSpot''s clock, UTC',
    received_at    DATETIME(3) NOT NULL COMMENT 'When it arrived here, UTC',
    run_at         DATETIME(3) NOT NULL COMMENT 'Not to be looked at before, UTC',
    tries          INT NOT NULL DEFAULT 0 COMMENT 'How often the record was read and did not show the change yet',
    outcome        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'read, echo, absent, left or not_mirrored; NULL while it waits',
    processed_at   DATETIME(3) NULL COMMENT 'When it was dealt with, UTC; the row goes two days later',
    PRIMARY KEY (event_key),
    KEY webhook_events_by_id (id),
    KEY webhook_events_waiting (outcome, run_at, id),
    KEY webhook_events_to_purge (received_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci COMMENT='Inbox of webhooks, one row an event and attempt';
