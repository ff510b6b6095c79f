/** How many keys a store of a task's storage has. */
export async function countKeys(storage, store) {
  const scan = storage.store(store).scan({});
  let keys = 0;
  for (let entries = await scan.next(); entries.length > 0; entries = await scan.next()) keys += entries.length;
  await scan.close();
  return keys;
}
