-- Give a lock back if this token still holds it.
-- KEYS: lock. ARGV: token.

if redis.call('MGET', KEYS[1])[1] == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
return 1
