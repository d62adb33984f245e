// Verifies each case of standard input with a library; prints a list of "ok" or the error's name.
// The first argument is the folder of package.json's packages.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const load = createRequire(`${process.argv[2]}/`);
const libraries = { standardwebhooks: load("standardwebhooks").Webhook, svix: load("svix").Webhook };

const results = JSON.parse(readFileSync(0, "utf8")).map(({ library, secret, body, headers }) => {
  try {
    new libraries[library](secret).verify(Buffer.from(body, "base64"), headers);
    return "ok";
  } catch (error) {
    return error.constructor.name;
  }
});
console.log(JSON.stringify(results));
