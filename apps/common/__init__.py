"""What every domain may import. Knows no domain, holds no table and no door."""
