-- Take a lock unless another token holds it. The same token again succeeds: its first answer may have been lost.
-- KEYS: lock. ARGV: token, duration in ms.

local holder = redis.call('MGET', KEYS[1])[1]
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
