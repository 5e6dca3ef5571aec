// Sends by @rudderstack/rudder-sdk-node: MODULES ADDRESS HALF.
const [modules, address, half] = process.argv.slice(2);
const Analytics = require(`${modules}/@rudderstack/rudder-sdk-node`);

const analytics = new Analytics("key", { dataPlaneUrl: address });
let open = 0;

function add(first) {
  for (let number = first; number < first + Number(half); number++) {
    open += 1;
    const call = { userId: "ada", event: "Product Added", properties: { number } };
    analytics.track(call, (error) => {
      if (error) throw error;
      open -= 1;
    });
  }
}

// A flush sends twenty calls and no more.
async function flushed() {
  while (open) {
    await analytics.flush();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

analytics.identify({ userId: "ada", traits: { name: "Ada" } });
analytics.page({ userId: "ada", category: "Shop", name: "Home" });
add(0);
flushed().then(() => console.log("half"));
process.stdin.once("data", async () => {
  add(Number(half));
  console.log("sent");
  await flushed();
  process.exit(0);
});
