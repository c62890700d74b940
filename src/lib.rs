//! Keeps a MariaDB database an exact, live copy of a HubSpot CRM.
