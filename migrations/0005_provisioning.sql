CREATE TABLE "carryover"."cursors" (
	"name" text PRIMARY KEY NOT NULL,
	"position" text NOT NULL,
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "carryover"."fixes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "carryover"."fixes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"rule" jsonb NOT NULL,
	"applied_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"undone_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "carryover"."loads" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "carryover"."loads_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"source" text,
	"format" text NOT NULL,
	"origin" text NOT NULL,
	"digest" "bytea",
	"started_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"ended_at" timestamp with time zone,
	"state" text DEFAULT 'running' NOT NULL,
	"counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"refused_files" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"refused_until" timestamp with time zone,
	"watermark" text
);
--> statement-breakpoint
CREATE TABLE "carryover"."origins" (
	"source" text NOT NULL,
	"source_id" text NOT NULL,
	"user_id" text NOT NULL,
	CONSTRAINT "origins_source_source_id_pk" PRIMARY KEY("source","source_id")
);
--> statement-breakpoint
CREATE TABLE "carryover"."password_changes" (
	"user_id" text PRIMARY KEY NOT NULL,
	"noticed_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"load" bigint,
	"decision" text DEFAULT 'open' NOT NULL,
	"decided_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "carryover"."plan_counts" (
	"plan" uuid NOT NULL,
	"action" text NOT NULL,
	"method" text NOT NULL,
	"state" text NOT NULL,
	"reason" text DEFAULT '' NOT NULL,
	"users" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "plan_counts_plan_action_method_state_reason_pk" PRIMARY KEY("plan","action","method","state","reason")
);
--> statement-breakpoint
CREATE TABLE "carryover"."plan_items" (
	"plan" uuid NOT NULL,
	"place" bigint NOT NULL,
	"user_id" text NOT NULL,
	"action" text NOT NULL,
	"method" text NOT NULL,
	"why" text NOT NULL,
	"cohort" text NOT NULL,
	"scheme" text NOT NULL,
	"content" "bytea",
	"state" text NOT NULL,
	"lease_until" timestamp with time zone,
	"leased_by" uuid,
	"attempts" integer DEFAULT 0 NOT NULL,
	"reason" text,
	"target_code" text,
	"target_text" text,
	"ended_at" timestamp with time zone,
	CONSTRAINT "plan_items_plan_place_pk" PRIMARY KEY("plan","place"),
	CONSTRAINT "plan_items_user" UNIQUE("plan","user_id")
);
--> statement-breakpoint
CREATE TABLE "carryover"."plans" (
	"id" uuid PRIMARY KEY NOT NULL,
	"target" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"content" jsonb NOT NULL,
	"settings_digest" "bytea" NOT NULL,
	"copy_digest" "bytea" NOT NULL,
	"users" bigint NOT NULL,
	"report" jsonb NOT NULL,
	"state" text DEFAULT 'ready' NOT NULL,
	"paused_for" text,
	"speed" integer,
	"started_at" timestamp with time zone,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "carryover"."provisioned" (
	"target" text NOT NULL,
	"user_id" text NOT NULL,
	"target_id" text,
	"content" "bytea" NOT NULL,
	"method" text NOT NULL,
	"hash" "bytea",
	"at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"removed_at" timestamp with time zone,
	CONSTRAINT "provisioned_target_user_id_pk" PRIMARY KEY("target","user_id")
);
--> statement-breakpoint
CREATE TABLE "carryover"."sources" (
	"name" text PRIMARY KEY NOT NULL,
	"watermark" text,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "carryover"."users" ADD COLUMN "purged_hash" "bytea";--> statement-breakpoint
CREATE INDEX "origins_user" ON "carryover"."origins" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "password_changes_open" ON "carryover"."password_changes" USING btree ("noticed_at") WHERE "carryover"."password_changes"."decision" = 'open';--> statement-breakpoint
CREATE INDEX "plan_items_pending" ON "carryover"."plan_items" USING btree ("plan","place") WHERE "carryover"."plan_items"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "plan_items_failed" ON "carryover"."plan_items" USING btree ("plan","place") WHERE "carryover"."plan_items"."state" in ('refused', 'postponed');--> statement-breakpoint
CREATE INDEX "plan_items_of_user" ON "carryover"."plan_items" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "provisioned_user" ON "carryover"."provisioned" USING btree ("user_id");