from django.db import migrations

# Applies to every role, the owner of the table too. Deleting needs the transaction's setting, which `trail.thin` makes,
# and 30 days of age, the least that AUDIT_DAYS may be.
APPEND_ONLY = """
    CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND current_setting('audit.thinning', true) = 'on' AND OLD.at < now() - interval '30 days' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the audit is only ever added to: % of entry % is refused', TG_OP, OLD.id;
    END $$;
    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_entry
        FOR EACH ROW EXECUTE FUNCTION audit_append_only();
"""
UNDO = "DROP TRIGGER audit_append_only ON audit_entry; DROP FUNCTION audit_append_only();"


def on_postgresql(sql):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(sql, params=None)

    return run


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(on_postgresql(APPEND_ONLY), on_postgresql(UNDO))]
