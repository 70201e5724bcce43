"""The domain that the framework's own tests run on: users, and the books they add. No product ships it."""
