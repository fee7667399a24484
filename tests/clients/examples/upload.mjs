// node upload.mjs http://127.0.0.1:3000 my-room holiday.mp4
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { FileUrlStorage, Upload } from "tus-js-client"; // npm install tus-js-client

const [url, room, path] = process.argv.slice(2);
const upload = new Upload(createReadStream(path), {
  endpoint: `${url}/tus/`,
  metadata: { room, filename: basename(path), fromName: "upload.mjs" },
  retryDelays: [0, 1000, 3000, 5000, 10000, 20000],
  urlStorage: new FileUrlStorage("uploads.json"), // where it was, also when this program has ended
  removeFingerprintOnSuccess: true,
  onSuccess: ({ lastResponse }) => console.log(`${path}: drop ${lastResponse.getHeader("Roomdrop-Drop")}`),
  onError: (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
});
const [before] = await upload.findPreviousUploads();
if (before) upload.resumeFromPreviousUpload(before);
upload.start();
