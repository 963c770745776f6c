//! What was kept before a migration is there after it.

use sqlx::{PgPool, Row as _, SqlitePool};

const SUBNET: &str = "
    INSERT INTO subnet (id, name, cidr, dns_servers, ntp_servers, lease_seconds)
    VALUES ('s', 'lab', '10.20.0.0/24', '', '', 600)";
const RESERVATION: &str = "
    INSERT INTO reservation (id, subnet_id, mac, address, hostname)
    VALUES ('r', 's', '52:54:00:00:00:07', '10.20.0.7', 'seven')";
const AFTER: &str = "
    SELECT vlan.vid, vlan.mode, client_key, mac, hostname FROM subnet
    JOIN vlan ON vlan.id = subnet.vlan_id JOIN reservation ON reservation.subnet_id = subnet.id";

macro_rules! check {
    ($pool:expr, $first:literal, $second:literal) => {{
        let pool = $pool;
        sqlx::raw_sql(include_str!($first)).execute(&pool).await.unwrap();
        sqlx::raw_sql(SUBNET).execute(&pool).await.unwrap();
        sqlx::raw_sql(RESERVATION).execute(&pool).await.unwrap();
        sqlx::raw_sql(include_str!($second)).execute(&pool).await.unwrap();
        let row = sqlx::query(AFTER).fetch_one(&pool).await.unwrap();
        assert_eq!(row.get::<i64, _>("vid"), 0);
        let texts = ["mode", "client_key", "mac", "hostname"].map(|it| row.get::<String, _>(it));
        assert_eq!(texts, ["FULL", "mac:52:54:00:00:00:07", "52:54:00:00:00:07", "seven"]);
        pool.close().await;
    }};
}

#[tokio::test]
async fn subnets_move_onto_the_default_vlan_and_reservations_stay() {
    for database in crate::testing::databases() {
        if database.engine == "postgres" {
            check!(
                PgPool::connect(&database.url).await.unwrap(),
                "../../migrations/postgres/0001_init.sql",
                "../../migrations/postgres/0002_dhcp.sql"
            );
        } else {
            check!(
                SqlitePool::connect(&format!("sqlite://{}?mode=rwc", database.url)).await.unwrap(),
                "../../migrations/sqlite/0001_init.sql",
                "../../migrations/sqlite/0002_dhcp.sql"
            );
        }
    }
}

const LEASE: &str = "
    INSERT INTO lease (id, address, mac, state, started_us, expires_us, rack_id)
    VALUES ('l', '10.20.0.250', '52:54:00:00:00:07', 'ACTIVE', 1, 2, 'k')";

macro_rules! check_lease {
    ($pool:expr, $($migration:literal),+) => {{
        let pool = $pool;
        let mut migrations = [$(include_str!($migration)),+].into_iter();
        sqlx::raw_sql(migrations.next().unwrap()).execute(&pool).await.unwrap();
        sqlx::raw_sql(LEASE).execute(&pool).await.unwrap();
        for migration in migrations {
            sqlx::raw_sql(migration).execute(&pool).await.unwrap();
        }
        let query = sqlx::query("SELECT address_key, mac, expires_us FROM lease");
        let row = query.fetch_one(&pool).await.unwrap();
        let key = ironherd_domain::LeaseBlock::from(std::net::Ipv4Addr::new(10, 20, 0, 250)).key();
        assert_eq!(row.get::<String, _>("address_key"), key);
        assert_eq!(row.get::<String, _>("mac"), "52:54:00:00:00:07");
        assert_eq!(row.get::<i64, _>("expires_us"), 2);
        pool.close().await;
    }};
}

#[tokio::test]
async fn leases_get_keys_that_sort_as_addresses() {
    for database in crate::testing::databases() {
        if database.engine == "postgres" {
            check_lease!(
                PgPool::connect(&database.url).await.unwrap(),
                "../../migrations/postgres/0001_init.sql",
                "../../migrations/postgres/0002_dhcp.sql",
                "../../migrations/postgres/0006_lease_history.sql"
            );
        } else {
            check_lease!(
                SqlitePool::connect(&format!("sqlite://{}?mode=rwc", database.url)).await.unwrap(),
                "../../migrations/sqlite/0001_init.sql",
                "../../migrations/sqlite/0002_dhcp.sql",
                "../../migrations/sqlite/0006_lease_history.sql"
            );
        }
    }
}
