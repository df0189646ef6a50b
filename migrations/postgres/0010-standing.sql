-- The version that was approved last and stands, deprecated or not, and the tools of one manifest.

CREATE INDEX manifests_standing ON manifests (server, approve_index) WHERE status IN ('approved', 'deprecated');
DROP INDEX manifests_newest_approved;
