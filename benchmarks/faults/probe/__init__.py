"""Tasks whose every start and effect is written down, to be counted."""

TABLES = (
    "CREATE TABLE faults_start (number int, at timestamptz DEFAULT clock_timestamp())",
    "CREATE TABLE faults_effect (number int, at timestamptz DEFAULT clock_timestamp())",
)
