-- A lane takes a block of tokens at a time and gives them out itself; what is left of it when the lane ends is never used.
ALTER SEQUENCE lease_token INCREMENT BY 65536;
