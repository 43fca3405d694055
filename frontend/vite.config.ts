import { defineConfig } from "vite";

// File names are fixed: templates name /static/build/site.js, and a query string tells releases apart.
export default defineConfig({
  base: "/static/build/",
  publicDir: false,
  build: {
    outDir: "../overread/web/static/build",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    rolldownOptions: {
      input: { site: "src/site.ts", upload: "src/upload.ts", review: "src/review.ts" },
      output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" },
    },
  },
});
