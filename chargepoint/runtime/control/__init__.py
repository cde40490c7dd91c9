"""Control of running chargers: one table of commands for users and programs, and the documents that show their state."""
