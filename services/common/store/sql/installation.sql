-- What is true of this installation as a whole.

-- name: installation_read
SELECT s.value, current_setting('fsync') = 'on', current_setting('synchronous_commit') <> 'off',
       current_setting('full_page_writes') = 'on'
FROM setting s
WHERE s.name = 'deployment'
