/** The mark: five stalks from one point, a flower on each. */
export function Logo(props: { size?: number }) {
  const { size = 26 } = props;
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <g fill="none" stroke="var(--stem)" strokeWidth="1.8" strokeLinecap="round">
        <path d="M16 30.500V20" />
        <path d="M16 21C14 14.500 10 12 5.500 11.500M16 21C15 14 13 9.500 10.800 6.800M16 21V6M16 21C17 14 19 9.500 21.200 6.800M16 21C18 14.500 22 12 26.500 11.500" />
      </g>
      <g fill="var(--bloom)">
        <circle cx="4.700" cy="11" r="2.500" />
        <circle cx="10" cy="5.400" r="2.500" />
        <circle cx="16" cy="3.600" r="2.700" />
        <circle cx="22" cy="5.400" r="2.500" />
        <circle cx="27.300" cy="11" r="2.500" />
      </g>
    </svg>
  );
}
