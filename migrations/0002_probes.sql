CREATE TABLE "carryover"."probes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "carryover"."probes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"user_id" text NOT NULL,
	"cohort" text NOT NULL,
	"scheme" text NOT NULL,
	"matched" boolean NOT NULL,
	"found" text
);
--> statement-breakpoint
create trigger append_only before update or delete or truncate on carryover.probes
for each statement execute function carryover.refuse_change();
