-- Database users with no more rights than they need. Run once as an administrator, with your own passwords:
--
--   mariadb < deploy/grants.sql
--
-- A user of one of these names is replaced: an older password or wider rights, as after QUICKSTART.md, do not stay.
-- hubspot_migrate changes the tables: its settings go to the one-off command `hubspot-connector migrate`, at
-- installation and at every upgrade. hubspot is what the daemon runs as, with MIGRATE_ON_START=false. Who prefers one
-- user grants hubspot ALL on the database and leaves MIGRATE_ON_START at true.
-- Another machine: replace localhost by its address and add REQUIRE SSL to every CREATE USER.

CREATE DATABASE IF NOT EXISTS hubspot CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci;

CREATE OR REPLACE USER 'hubspot_migrate'@'localhost' IDENTIFIED BY 'choose-a-password-1';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER
    ON hubspot.* TO 'hubspot_migrate'@'localhost';

CREATE OR REPLACE USER 'hubspot'@'localhost' IDENTIFIED BY 'choose-a-password-2';
GRANT SELECT, INSERT, UPDATE, DELETE ON hubspot.* TO 'hubspot'@'localhost';

-- For people and tools that only look.
CREATE OR REPLACE USER 'hubspot_reader'@'localhost' IDENTIFIED BY 'choose-a-password-3';
GRANT SELECT ON hubspot.* TO 'hubspot_reader'@'localhost';
