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
