/** Builds the S3 server where it is not there yet; rejects with a SetupError that names what is missing. */
export function installS3(): Promise<void>;

/** Why tests on a real S3 server cannot run here; undefined where they can, after it was built. */
export function missingForS3(): Promise<string | undefined>;
