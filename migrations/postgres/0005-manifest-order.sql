-- Which names were published since an index, and which were approved once, without reading the whole table.

CREATE INDEX manifests_publish_index ON manifests (publish_index, server, namespace);
CREATE INDEX manifests_approved ON manifests (server) WHERE approve_index IS NOT NULL;
