-- The history of loads is written by whoever loads.
grant select, insert, update on carryover.loads, carryover.sources to carryover_load;
--> statement-breakpoint
grant select, insert, delete on carryover.origins to carryover_load;
--> statement-breakpoint
grant select, insert, update on carryover.password_changes to carryover_load;
