/** Makes sure that Debian packages are installed: by apt-get when we are root on a Debian, otherwise by asking for them. `purpose` completes "… is needed to". */
export function ensureDebianPackages(packages: readonly string[], purpose: string): Promise<void>;
