// Sends by @segment/analytics-node: MODULES ADDRESS HALF.
const [modules, address, half] = process.argv.slice(2);
const { Analytics } = require(`${modules}/@segment/analytics-node`);

const analytics = new Analytics({ writeKey: "key", host: address });

function add(first) {
  for (let number = first; number < first + Number(half); number++) {
    analytics.track({ userId: "ada", event: "Product Added", properties: { number } });
  }
}

analytics.identify({ userId: "ada", traits: { name: "Ada" } });
analytics.page({ userId: "ada", category: "Shop", name: "Home" });
add(0);
analytics.flush().then(() => console.log("half"));
process.stdin.once("data", async () => {
  add(Number(half));
  console.log("sent");
  await analytics.closeAndFlush({ timeout: 60000 });
  process.exit(0);
});
