-- "if not exists": the migrator makes the schema carryover for its own table, and legacy.users may be a view of
-- the operator's own, which is left alone.
CREATE SCHEMA IF NOT EXISTS "carryover";
--> statement-breakpoint
CREATE SCHEMA IF NOT EXISTS "legacy";
--> statement-breakpoint
CREATE TABLE "carryover"."chains" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "carryover"."chains_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"run" uuid NOT NULL,
	"lane" integer NOT NULL,
	"started_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"length" bigint DEFAULT 0 NOT NULL,
	"head" "bytea" NOT NULL,
	"window_start" timestamp with time zone,
	"refusals" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "chains_run_lane" UNIQUE("run","lane")
);
--> statement-breakpoint
CREATE TABLE "carryover"."confirmed_events" (
	"event_id" text PRIMARY KEY NOT NULL,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "carryover"."counts" (
	"cohort" text NOT NULL,
	"scheme" text NOT NULL,
	"unmigrated" bigint DEFAULT 0 NOT NULL,
	"verified" bigint DEFAULT 0 NOT NULL,
	"migrated" bigint DEFAULT 0 NOT NULL,
	"unverifiable" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "counts_cohort_scheme_pk" PRIMARY KEY("cohort","scheme")
);
--> statement-breakpoint
CREATE TABLE "carryover"."installation" (
	"one" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"login_key" "bytea" NOT NULL,
	CONSTRAINT "installation_one" CHECK ("carryover"."installation"."one")
);
--> statement-breakpoint
CREATE TABLE "carryover"."users" (
	"user_id" text PRIMARY KEY NOT NULL,
	"state" text DEFAULT 'unmigrated' NOT NULL,
	"cohort" text NOT NULL,
	"scheme" text NOT NULL,
	"usable" boolean NOT NULL,
	"verified_at" timestamp with time zone,
	"migrated_at" timestamp with time zone,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "users_state" CHECK ("carryover"."users"."state" in ('unmigrated', 'verified', 'migrated'))
);
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS "legacy"."users" (
	"id" text PRIMARY KEY NOT NULL,
	"login" text NOT NULL,
	"email" text,
	"password_hash" text,
	"hash_scheme" text,
	"salt" text,
	"status" text DEFAULT 'active' NOT NULL,
	"cohort" text DEFAULT 'default' NOT NULL,
	"profile" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "carryover"."outcomes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "carryover"."outcomes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"dialect" text NOT NULL,
	"hook" text NOT NULL,
	"user_id" text,
	"login_digest" "bytea",
	"verdict" text NOT NULL,
	"scheme" text,
	"millis" integer NOT NULL,
	"request_id" text,
	"user_salt" "bytea",
	"user_ref" "bytea",
	"chain" bigint NOT NULL,
	"place" bigint NOT NULL,
	"link" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "carryover"."refusals" (
	"subject" text PRIMARY KEY NOT NULL,
	"window_start" timestamp with time zone NOT NULL,
	"refusals" integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX "outcomes_user" ON "carryover"."outcomes" USING btree ("user_id","id");--> statement-breakpoint
CREATE INDEX "outcomes_login" ON "carryover"."outcomes" USING btree ("login_digest","id") WHERE "carryover"."outcomes"."login_digest" is not null;--> statement-breakpoint
CREATE INDEX "chains_window" ON "carryover"."chains" USING btree ("window_start") WHERE "carryover"."chains"."window_start" is not null;--> statement-breakpoint
CREATE INDEX "refusals_window" ON "carryover"."refusals" USING btree ("window_start");